"""What the witnesses apply. ``GADGETS`` is a kind that nobody bundles, with everything that a definition can say."""

from __future__ import annotations

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "example/image:1", ports: [{containerPort: 80}]}]}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: web}}
data: {a: "1"}
"""
ALL = f"{WEB}---\n{SERVICE}---\n{SETTINGS}"


def pod(name: str, *, labels: str = "app: x", image: str = "example/image:1") -> str:
    return f"""\
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{{labels}}}}}
spec: {{containers: [{{name: main, image: "{image}"}}]}}
"""


def gadgets(group: str) -> str:
    return f"""\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: gadgets.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{plural: gadgets, singular: gadget, kind: Gadget, shortNames: [gd], categories: [toys]}}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {{}}
      scale: {{specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .status.selector}}
    additionalPrinterColumns:
    - {{name: Size, type: integer, jsonPath: .spec.size, description: how big}}
    - {{name: Colour, type: string, jsonPath: .spec.colour, priority: 1}}
    - {{name: Age, type: date, jsonPath: .metadata.creationTimestamp}}
    schema:
      openAPIV3Schema:
        type: object
        description: A thing to play with.
        required: [spec]
        properties:
          spec:
            type: object
            description: What is wanted of it.
            properties:
              size: {{type: integer, minimum: 1, maximum: 100, description: Its size in hands.}}
              replicas: {{type: integer, default: 1}}
              colour: {{type: string, enum: [red, green], default: red}}
              port: {{x-kubernetes-int-or-string: true}}
              free: {{type: object, x-kubernetes-preserve-unknown-fields: true}}
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties: {{name: {{type: string}}, weight: {{type: integer}}}}
            x-kubernetes-validations:
            - {{rule: "!has(self.size) || self.size != 13", message: thirteen is unlucky}}
          status:
            type: object
            properties:
              replicas: {{type: integer}}
              selector: {{type: string}}
              conditions: {{type: array, items: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"""


def gadget(group: str, name: str, spec: str = "{size: 3}") -> str:
    return f"apiVersion: {group}/v1\nkind: Gadget\nmetadata: {{name: {name}}}\nspec: {spec}\n"
