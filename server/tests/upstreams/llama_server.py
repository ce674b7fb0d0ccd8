"""llama.cpp's own server with one model, until it is killed: llama_server.py MODEL [embedding]. Prints its address."""
import sys
import threading

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx, params.n_parallel, params.port = 2048, 1, 0
params.cpuparams.n_threads = 2
# With GCC 12 its AMX kernels crash (docs/adr/0002).
params.no_extra_bufts = True
if "embedding" in sys.argv[2:]:
    params.embedding = True
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
threading.Event().wait()
