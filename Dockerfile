# Two images from one file: `api` (no training libraries) and `worker`.
#   docker build --target api -t llkd-api .
#   docker build --target worker -t llkd-worker .                                CPU
#   docker build --target worker --build-arg TORCH_BACKEND= -t llkd-worker:gpu . CUDA
# Any Debian with Python 3.11 to 3.13 and its venv module will do as BASE_IMAGE.
ARG BASE_IMAGE=python:3.13-slim-bookworm

# --- build: stays behind, and with it every tool that installs ------------------------
FROM ${BASE_IMAGE} AS build
ARG UV_VERSION=0.13.9
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
RUN python3 -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir "uv==${UV_VERSION}" \
    && /opt/build/bin/uv venv --no-project --python "$(command -v python3)" /opt/llkd
ENV PATH=/opt/build/bin:$PATH \
    VIRTUAL_ENV=/opt/llkd
WORKDIR /src
COPY pyproject.toml constraints.txt ./

# Dependencies come before the sources: a changed line of code does not fetch them again.
FROM build AS build-api
RUN uv pip install -c constraints.txt -r pyproject.toml --extra openvino
COPY LICENSE README.md ./
COPY app app
COPY core core
COPY llkd llkd
COPY migrations migrations
COPY worker worker
RUN uv pip install --no-deps .

FROM build AS build-worker
# cpu, or a CUDA release such as cu130; empty takes what PyPI has, on Linux a CUDA build.
ARG TORCH_BACKEND=cpu
RUN uv pip install ${TORCH_BACKEND:+--torch-backend "$TORCH_BACKEND"} \
    -c constraints.txt -r pyproject.toml --extra worker --extra offline --extra openvino
COPY LICENSE README.md ./
COPY app app
COPY core core
COPY llkd llkd
COPY migrations migrations
COPY worker worker
RUN uv pip install --no-deps .

# --- what both images share -----------------------------------------------------------
FROM ${BASE_IMAGE} AS runtime
RUN groupadd --gid 10001 llkd \
    && useradd --uid 10001 --gid llkd --no-create-home --home-dir /var/lib/llkd \
        --shell /usr/sbin/nologin llkd \
    && install -d -o llkd -g llkd -m 0750 /var/lib/llkd
ENV PATH=/opt/llkd/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LLKD_DATA_DIR=/var/lib/llkd
# Not the data folder: Python looks for modules in the folder it is started in.
WORKDIR /opt/llkd
USER 10001:10001
STOPSIGNAL SIGTERM

# --- worker: label, train, evaluate, export -------------------------------------------
FROM runtime AS worker
COPY --from=build-worker /opt/llkd /opt/llkd
ENV HF_HOME=/var/lib/llkd/hub \
    HF_HUB_DISABLE_TELEMETRY=1
# A worker without its broker goes on by polling; without its database it can do nothing.
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from sqlalchemy import text; from core.config import load_settings; from core.db.session import Database; Database(load_settings().database, pool_size=1).engine.connect().execute(text('SELECT 1'))"]
CMD ["llkd-worker"]

# --- api: the default target ----------------------------------------------------------
FROM runtime AS api
COPY --from=build-api /opt/llkd /opt/llkd
ENV LLKD_HOST=0.0.0.0 \
    LLKD_PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ['LLKD_PORT'] + '/healthz', timeout=4)"]
CMD ["llkd-api"]
