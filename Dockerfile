# Runs the quickstart: docker build -t logan_tf . && docker run logan_tf
# Not built where it was written: there was no access to Docker Hub.
FROM python:3.11-slim
RUN apt-get update && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /logan_tf
COPY . .
RUN make .venv/made
VOLUME /logan_tf/runs
CMD ["make", "quickstart"]
