# The API, the worker and the CLI: one image, three commands.
FROM python:3.11-slim-bookworm
WORKDIR /srv
COPY pyproject.toml README.md requirements.lock ./
RUN pip install --no-cache-dir -r requirements.lock
COPY app ./app
COPY workers ./workers
COPY index_templates ./index_templates
RUN pip install --no-cache-dir --no-deps . && useradd --create-home foundryops && mkdir -p /data && chown foundryops /data
USER foundryops
VOLUME /data
EXPOSE 8080
CMD ["uvicorn", "app.main:create_app", "--factory", "--host", "0.0.0.0", "--port", "8080"]
