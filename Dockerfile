# One process, one user without rights, one folder to keep: /data.
#   docker build -t orders-registry .
#   docker run -p 127.0.0.1:8080:8080 -v orders-data:/data orders-registry

FROM python:3.13-slim AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src

# Two venvs: what runs (/venv, copied on) and what builds the wheel (/build, left behind). Both from hashes alone.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /venv && /venv/bin/python -m pip install --require-hashes --only-binary=:all: -r requirements.lock
RUN python -m venv /build && /build/bin/python -m pip install --require-hashes -r requirements-build.lock

COPY pyproject.toml README.md LICENSE ./
COPY adapters adapters
COPY app app
COPY migrations migrations
RUN /build/bin/python -m hatchling build -t wheel -d /wheel \
    && /venv/bin/python -m pip install --no-deps --no-index /wheel/*.whl \
    && /venv/bin/python -m pip check \
    && /venv/bin/python -m compileall -q /venv/lib \
    && /venv/bin/python -m pip uninstall -q -y pip


FROM python:3.13-slim
# The uid is fixed, so that a volume made by one image is readable by the next.
RUN groupadd --system --gid 10001 orders \
    && useradd --system --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin orders \
    && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=builder /venv /venv

ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ORDERS_DATABASE_URL=sqlite:////data/orders.db \
    ORDERS_HOST=0.0.0.0 \
    ORDERS_PORT=8080

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080

HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"ORDERS_PORT\"]}/readyz', timeout=4)"]

# Exec form: the server is process 1 and gets SIGTERM itself.
CMD ["orders-registry", "serve"]
