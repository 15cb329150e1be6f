# The roles in one image: serve (default), persist, migrate, token, ... Redis and Postgres are
# named by SCOREBOARD_REDIS_URL and SCOREBOARD_DATABASE_URL.
# scripts/check_container.sh runs these steps without an engine; it knows the instructions used here.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml setup.cfg ./
COPY scoreboard scoreboard
COPY lua lua
RUN python3 -m venv /opt/scoreboard
RUN /opt/scoreboard/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check .
RUN /opt/scoreboard/bin/python -m pip uninstall --yes --quiet pip

FROM python:3.13-slim
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
