# MLflow's tracking server and registry, with the drivers for PostgreSQL and S3: the dependency group `tracking`.
FROM python:3.13-slim-trixie AS packages
COPY --from=ghcr.io/astral-sh/uv:0.13.8 /uv /usr/local/bin/uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/venv
WORKDIR /build
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-cache --only-group tracking

FROM python:3.13-slim-trixie
RUN python -m pip uninstall --yes pip
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY docker/tracking.py ./
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5000/health', timeout=2)"]
CMD ["python", "tracking.py"]
