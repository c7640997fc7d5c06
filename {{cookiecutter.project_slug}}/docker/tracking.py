"""Start MLflow's server, after making its bucket where there is none.

Reads ``MLFLOW_ARTIFACTS_DESTINATION`` (s3://bucket/path) and the variables of MLflow and boto3; writes the bucket.
Run in the container of docker/tracking.Dockerfile; ``compose.yaml`` sets the variables.
"""

import os
from urllib.parse import urlsplit

import boto3

HOST, PORT = os.environ.get("MLFLOW_HOST", "0.0.0.0"), os.environ.get("MLFLOW_PORT", "5000")  # noqa: S104 - a container


def make_bucket(place: str) -> None:
    """Make the bucket of an address s3://bucket/path, unless it is there."""
    store = boto3.client("s3", endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL"))
    name = urlsplit(place).netloc
    if name not in [bucket["Name"] for bucket in store.list_buckets()["Buckets"]]:
        store.create_bucket(Bucket=name)
        print(f"tracking: made the bucket {name}")


if __name__ == "__main__":
    make_bucket(os.environ["MLFLOW_ARTIFACTS_DESTINATION"])
    os.execvp("mlflow", ["mlflow", "server", "--host", HOST, "--port", PORT])  # noqa: S606 - takes this process's place
