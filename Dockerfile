# syntax=docker/dockerfile:1
# The image of the API and the workers. It holds no secret: they come with the environment (compose.yaml).

FROM python:3.11-slim-bookworm AS build
COPY tools/uv.lock.txt /build/
RUN pip install --no-cache-dir --require-hashes -r /build/uv.lock.txt
# Before the source, so that a change of the source does not install everything again.
COPY requirements-runtime.lock /build/
RUN uv venv --no-python-downloads /opt/fairbook \
    && VIRTUAL_ENV=/opt/fairbook uv pip sync --no-cache --require-hashes --compile-bytecode /build/requirements-runtime.lock
COPY domain /app/domain
COPY application /app/application
COPY adapters /app/adapters
COPY read_models /app/read_models
COPY api /app/api
COPY fairbook /app/fairbook
RUN /opt/fairbook/bin/python -m compileall -q /app

FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 fairbook \
    && useradd --system --uid 10001 --gid fairbook --home-dir /app --shell /usr/sbin/nologin fairbook \
    # A volume that is mounted here begins as this folder, and belongs to whom it belongs.
    && install -d -o fairbook -g fairbook /var/lib/fairbook/artefacts
# Root's own and read-only for the account that runs it.
COPY --from=build /opt/fairbook /opt/fairbook
COPY --from=build /app /app
ENV PATH=/opt/fairbook/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /app
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=5 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/ready', timeout=2)"]
ENTRYPOINT ["python", "-m", "fairbook"]
CMD ["api"]
