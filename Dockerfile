# One image for every process; the command chooses which. It holds no secret and nothing of the development tools.

FROM python:3.11-slim AS libraries
RUN python -m venv /venv
COPY requirements-runtime.lock .
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements-runtime.lock

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LOG_FORMAT=json
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin payments \
    && install --directory --owner payments /state
COPY --from=libraries /venv /venv
WORKDIR /app
COPY protos protos
COPY kit kit
COPY services services
COPY db db
COPY gateway_adapters gateway_adapters
COPY webhook_receiver webhook_receiver
COPY gateway_sandboxes gateway_sandboxes
COPY time_machine time_machine
RUN python -m compileall -q .
USER payments
STOPSIGNAL SIGTERM
