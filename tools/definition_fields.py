"""Field numbers of CustomResourceDefinition and what it holds: kubectl does not link these types.

Facts of Kubernetes 1.37's ``k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1``: numbers and names as its ``generated.proto``
publishes them, which never change once released, and which zero values JSON leaves out (``?``) as its Go types tag them.
``observedGeneration`` of the status and of conditions is missing: servers write it, clients never do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PACKAGE = "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
OBJECT_META = "k8s.io/apimachinery/pkg/apis/meta/v1.ObjectMeta"

# Messages of which JSON shows one field in place of the whole: the higher number if it is there.
EITHER = ("JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool", "JSONSchemaPropsOrStringArray")

# A field is NUMBER NAME FORM; "?" after the form: left out of JSON when it is zero.
FIELDS: Mapping[str, str] = {
    "CustomResourceDefinition": """
        1 metadata ObjectMeta, 2 spec CustomResourceDefinitionSpec, 3 status CustomResourceDefinitionStatus""",
    "CustomResourceDefinitionSpec": """
        1 group string, 3 names CustomResourceDefinitionNames, 4 scope string, 7 versions list CustomResourceDefinitionVersion,
        9 conversion CustomResourceConversion, 10 preserveUnknownFields bool?""",
    "CustomResourceDefinitionNames": """
        1 plural string, 2 singular string?, 3 shortNames list string, 4 kind string, 5 listKind string?, 6 categories list string""",
    "CustomResourceDefinitionVersion": """
        1 name string, 2 served bool, 3 storage bool, 4 schema CustomResourceValidation, 5 subresources CustomResourceSubresources,
        6 additionalPrinterColumns list CustomResourceColumnDefinition, 7 deprecated bool?, 8 deprecationWarning string,
        9 selectableFields list SelectableField""",
    "CustomResourceColumnDefinition": """
        1 name string, 2 type string, 3 format string?, 4 description string?, 5 priority int?, 6 jsonPath string""",
    "SelectableField": "1 jsonPath string",
    "CustomResourceSubresources": "1 status CustomResourceSubresourceStatus, 2 scale CustomResourceSubresourceScale",
    "CustomResourceSubresourceStatus": "",
    "CustomResourceSubresourceScale": "1 specReplicasPath string, 2 statusReplicasPath string, 3 labelSelectorPath string",
    "CustomResourceConversion": "1 strategy string, 2 webhook WebhookConversion",
    "WebhookConversion": "2 clientConfig WebhookClientConfig, 3 conversionReviewVersions list string",
    "WebhookClientConfig": "1 service ServiceReference, 2 caBundle bytes?, 3 url string",
    "ServiceReference": "1 namespace string, 2 name string, 3 path string, 4 port int",
    "CustomResourceDefinitionStatus": """
        1 conditions list CustomResourceDefinitionCondition, 2 acceptedNames CustomResourceDefinitionNames,
        3 storedVersions list string""",
    "CustomResourceDefinitionCondition": """
        1 type string, 2 status string, 3 lastTransitionTime time, 4 reason string?, 5 message string?""",
    "CustomResourceValidation": "1 openAPIV3Schema JSONSchemaProps",
    "JSONSchemaProps": """
        1 id string?, 2 $schema string?, 3 $ref string, 4 description string?, 5 type string?, 6 format string?, 7 title string?,
        8 default json, 9 maximum double, 10 exclusiveMaximum bool?, 11 minimum double, 12 exclusiveMinimum bool?,
        13 maxLength int, 14 minLength int, 15 pattern string?, 16 maxItems int, 17 minItems int, 18 uniqueItems bool?,
        19 multipleOf double, 20 enum list json, 21 maxProperties int, 22 minProperties int, 23 required list string,
        24 items JSONSchemaPropsOrArray, 25 allOf list JSONSchemaProps, 26 oneOf list JSONSchemaProps,
        27 anyOf list JSONSchemaProps, 28 not JSONSchemaProps, 29 properties map JSONSchemaProps,
        30 additionalProperties JSONSchemaPropsOrBool, 31 patternProperties map JSONSchemaProps,
        32 dependencies map JSONSchemaPropsOrStringArray, 33 additionalItems JSONSchemaPropsOrBool,
        34 definitions map JSONSchemaProps, 35 externalDocs ExternalDocumentation, 36 example json, 37 nullable bool?,
        38 x-kubernetes-preserve-unknown-fields bool, 39 x-kubernetes-embedded-resource bool?,
        40 x-kubernetes-int-or-string bool?, 41 x-kubernetes-list-map-keys list string, 42 x-kubernetes-list-type string,
        43 x-kubernetes-map-type string, 44 x-kubernetes-validations list ValidationRule""",
    "JSONSchemaPropsOrArray": "1 schema JSONSchemaProps, 2 jSONSchemas list JSONSchemaProps",
    "JSONSchemaPropsOrBool": "1 allows bool, 2 schema JSONSchemaProps",
    "JSONSchemaPropsOrStringArray": "1 schema JSONSchemaProps, 2 property list string",
    "ExternalDocumentation": "1 description string?, 2 url string?",
    "ValidationRule": """
        1 rule string, 2 message string?, 3 messageExpression string?, 4 reason string, 5 fieldPath string?, 6 optionalOldSelf bool""",
}


def messages() -> dict[str, list[list[Any]]]:
    """Rows as ``make_protobuf`` ships them, by full name of the message."""
    return {full_name(name): [_row(each) for each in text.split(",") if each.strip()] for name, text in FIELDS.items()}


def full_name(name: str) -> str:
    """A message of this package, or ObjectMeta, by its full name."""
    return OBJECT_META if name == "ObjectMeta" else f"{PACKAGE}.{name}"


def _row(text: str) -> list[Any]:
    number, name, *form = text.split()
    word = form[-1].removesuffix("?")
    form[-1] = full_name(word) if word[0].isupper() else word
    return [int(number), name, " ".join(form), text.endswith("?")]
