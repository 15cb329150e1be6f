# The roles in one image: serve (default), persist, migrate, token, ... Redis and Postgres are
# named by SCOREBOARD_REDIS_URL and SCOREBOARD_DATABASE_URL.
# scripts/check_container.sh runs these steps without an engine; it knows the instructions used here.
#
# The base may be pinned to its digest: docker build --build-arg BASE=python:3.13.9-slim-bookworm@sha256:...
ARG BASE=python:3.13.9-slim-bookworm
FROM $BASE AS build
ENV PIP_NO_CACHE_DIR=1
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements requirements
# `service`, or with what sends traces: docker build --build-arg LIST=otel
ARG LIST
RUN python3 -m venv /opt/scoreboard
RUN /opt/scoreboard/bin/python -m pip install --quiet --require-hashes --requirement requirements/${LIST:-service}.txt
RUN python3 -m venv /opt/build
RUN /opt/build/bin/python -m pip install --quiet --require-hashes --requirement requirements/build.txt
COPY pyproject.toml setup.cfg README.md ./
COPY scoreboard scoreboard
COPY lua lua
RUN /opt/build/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /opt/build/wheel .
RUN /opt/scoreboard/bin/python -m pip install --quiet --no-deps /opt/build/wheel/*.whl
RUN /opt/scoreboard/bin/python -m pip uninstall --yes --quiet pip

FROM $BASE
COPY --from=build /opt/scoreboard /opt/scoreboard
ENV PATH=/opt/scoreboard/bin:/usr/local/bin:/usr/bin:/bin
ENV PYTHONUNBUFFERED=1
ENV SCOREBOARD_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8080
# Of serve; start the other roles with --no-healthcheck.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('SCOREBOARD_PORT', '8080') + '/healthz', timeout=2)"]
ENTRYPOINT ["scoreboard"]
CMD ["serve"]
