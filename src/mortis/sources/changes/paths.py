"""Which kind of change a file in a repository makes, by its path."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Kinds with the paths that make them, the first that matches counts; what matches none is code. Patterns are searched
# in the path in lower case, which begins with a slash.
_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("tests", (r"/(tests?|testing|__tests__|spec)/", r"/test_[^/]*$", r"_test\.\w+$", r"/conftest\.py$")),
    (
        "dependency",
        (
            r"/(requirements|constraints)[^/]*\.(txt|in)$",
            r"/requirements/",
            r"\.lock$",
            r"/(pipfile|gemfile|pyproject\.toml|setup\.(py|cfg)|go\.(mod|sum)|cargo\.toml|pom\.xml|\.gitmodules)$",
            r"/((package(-lock)?|npm-shrinkwrap)\.json|pnpm-lock\.yaml)$",
            r"/build\.(gradle(\.kts)?|sbt)$",
            r"/(conda[^/]*|environment)\.ya?ml$",
        ),
    ),
    (
        "model",
        (
            r"\.(onnx|pkl|pickle|joblib|pth?|ckpt|safetensors|h5|hdf5|keras|tflite)(\.dvc)?$",
            r"\.(lgb|ubj|skops|mlmodel|gguf|pmml|bst)(\.dvc)?$",
            r"/(mlmodel|saved_model\.pb)$",
            r"/models?/[^/]*\.(txt|json|bin|dvc)$",
        ),
    ),
    (
        "schema",
        (
            r"\.(sql|ddl|proto|avsc|avdl|thrift|graphqls?|xsd|fbs|capnp)$",
            r"/(schemas?|migrations|alembic)/",
            r"(schema|/openapi)[^/]*\.(json|ya?ml)$",
        ),
    ),
    (
        "deploy",
        (
            r"/\.(github|gitlab|circleci|buildkite)/",
            r"/(\.gitlab-ci|azure-pipelines|bitbucket-pipelines|cloudbuild|\.travis)\.ya?ml$",
            r"/(jenkinsfile|procfile|skaffold\.ya?ml|chart\.yaml)$",
            r"/(k8s|kubernetes|helm|charts|deploys?|deployments?|argocd)/",
        ),
    ),
    ("hardware", (r"\.(tf|tfvars)$", r"/(terraform|cloudformation)/")),
    (
        "environment",
        (
            r"/(dockerfile|containerfile)[^/]*$",
            r"\.(dockerfile|nix)$",
            r"/(docker-)?compose[^/]*\.ya?ml$",
            r"/\.(python|node|tool)-versions?$",
            r"/((runtime|apt|packages)\.txt|aptfile|vagrantfile)$",
            r"/ansible/",
        ),
    ),
    (
        "docs",
        (
            r"\.(md|rst|adoc)$",
            r"/docs?/",
            r"/(license|notice|authors|changelog|codeowners|contributing|\.gitignore)(\.\w+)?$",
        ),
    ),
    (
        "config",
        (
            r"\.(ya?ml|toml|ini|cfg|conf|properties|env)$",
            r"/\.env[^/]*$",
            r"/(configs?|conf|settings|params?)/",
        ),
    ),
    ("data", (r"\.(csv|tsv|parquet|feather|arrow|jsonl|ndjson|xlsx)(\.(gz|zst|dvc))?$", r"\.dvc$")),
    ("config", (r"\.json$",)),
)
_PATTERNS = tuple((kind, re.compile("|".join(patterns))) for kind, patterns in _KINDS)


def kind_of_path(path: str) -> str:
    """The kind of change that a file makes.

    >>> [kind_of_path(p) for p in ("requirements.txt", "db/arrivals.sql", "conf/serving.yaml", "Dockerfile", "a/b.py")]
    ['dependency', 'schema', 'config', 'environment', 'code']
    """
    path = f"/{path.lower()}"
    return next((kind for kind, pattern in _PATTERNS if pattern.search(path)), "code")


def kinds_of_paths(paths: Iterable[str]) -> tuple[str, ...]:
    """The kinds that files make together, those of most files first; tests and docs only where nothing else changed.

    >>> kinds_of_paths(["a.py", "b.py", "conf.yaml", "README.md"])
    ('code', 'config')
    """
    counted: dict[str, int] = {}
    for path in paths:
        kind = kind_of_path(path)
        counted[kind] = counted.get(kind, 0) + 1
    ordered = sorted(counted, key=lambda kind: (-counted[kind], kind))
    return tuple(kind for kind in ordered if kind not in ("docs", "tests")) or tuple(ordered)
