#!/usr/bin/env bash
# How the local engine compares with llama.cpp itself: same file, same threads, same numbers of tokens.
# Fails when it reaches less than 0.8 of llama.cpp's speed in reading prompts or in writing answers.
#
# llama.cpp itself is llama-cpp-python, built from source into the cache once (six minutes), timed by
# llama.cpp's own counters, which leave out sampling and Python.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh

models="${1:-${SEAM_TEST_MODELS_DIR:-$SEAM_CACHE_DIR/models}}"
venv="$SEAM_CACHE_DIR/venv-llama"
if ! "$venv/bin/python" -c 'import llama_cpp' 2>/dev/null; then
  echo "Building llama-cpp-python 0.3.36 into $venv, once …" >&2
  python3 -m venv "$venv"
  CMAKE_BUILD_PARALLEL_LEVEL="$(nproc)" "$venv/bin/pip" install --quiet llama-cpp-python==0.3.36
fi

cargo build --release --quiet -p gateway --example local_bench
ours="$("$CARGO_TARGET_DIR/release/examples/local_bench" "$models")"

# At the priority that the engine gives itself, so that what else the machine does slows both alike.
SEAM_BENCH="$ours" nice -n 10 "$venv/bin/python" - "$models/smollm2-135m-instruct.gguf" <<'PYTHON'
import ctypes, json, os, sys
import llama_cpp as lib

ours = json.loads(os.environ["SEAM_BENCH"])
quiet = lib.llama_log_callback(lambda *_: None)
lib.llama_log_set(quiet, ctypes.c_void_p(0))
lib.llama_backend_init()
model_params = lib.llama_model_default_params()
# With GCC 12 its AMX kernels crash (docs/adr/0002); this is the same set of kernels as ours.
model_params.use_extra_bufts = False
model = lib.llama_model_load_from_file(sys.argv[1].encode(), model_params)
params = lib.llama_context_default_params()
params.n_ctx, params.n_batch, params.n_ubatch = 4096, 512, 512
params.n_threads = params.n_threads_batch = ours["threads"]
params.no_perf = False
context = lib.llama_init_from_model(model, params)


def decode(tokens):
    array = (lib.llama_token * len(tokens))(*tokens)
    if lib.llama_decode(context, lib.llama_batch_get_one(array, len(tokens))) != 0:
        sys.exit("llama.cpp could not evaluate")
    lib.llama_synchronize(context)


prompt = [1000 + at for at in range(ours["prompt_tokens"])]
prefill = decoding = 0.0
for _ in range(3):  # the best of three, like ours
    lib.llama_memory_clear(lib.llama_get_memory(context), True)
    lib.llama_perf_context_reset(context)
    decode(prompt)
    perf = lib.llama_perf_context(context)
    prefill = max(prefill, 1e3 * perf.n_p_eval / perf.t_p_eval_ms)
    # Writing follows the whole prompt, as it does in ours: attention over the same number of tokens.
    lib.llama_perf_context_reset(context)
    for at in range(ours["output_tokens"]):
        decode([1000 + at])
    perf = lib.llama_perf_context(context)
    decoding = max(decoding, 1e3 * perf.n_eval / perf.t_eval_ms)

rows = [
    ("prefill tokens/s", ours["prefill_tokens_a_second"], prefill),
    ("decode tokens/s", ours["decode_tokens_a_second"], decoding),
]
print(f"{'':18}{'seam':>10}{'llama.cpp':>12}{'ratio':>8}   ({ours['threads']} threads, {ours['prompt_tokens']} tokens in, {ours['output_tokens']} out)")
for name, seam, reference in rows:
    print(f"{name:18}{seam:10.1f}{reference:12.1f}{seam / reference:8.2f}")
print(f"{'first token':18}{ours['first_token_ms']:7.0f} ms")
print(f"{'two at once':18}{ours['decode_tokens_a_second_of_two']:10.1f} tokens/s together")
print(f"{'wake-up p99':18}{ours['runtime_delay_p99_ms']:7.1f} ms, of the web server's runtime while two are written")
print(f"{'embeddings':18}{ours['embed_inputs_a_second']:10.1f} paragraphs/s of 100 tokens")
slow = [name for name, seam, reference in rows if seam < 0.8 * reference]
if slow:
    sys.exit(f"slower than 0.8 of llama.cpp: {', '.join(slow)}")
PYTHON
