# The web page and the API; docs/web.md. Nothing but pip and what is in the repository.
FROM python:3.13-slim

WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[web]' \
    && rm -rf /app \
    && useradd --system --no-create-home yinshi

USER yinshi
WORKDIR /
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", \
    "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["yinshi", "serve", "--host", "0.0.0.0", "--port", "8000"]
CMD ["--workers", "1"]
