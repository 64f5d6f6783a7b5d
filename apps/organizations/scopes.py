"""What roles and API keys may do. One table each, asked everywhere; every route names a scope of these."""

from __future__ import annotations

from typing import Final

from apps.accounts.guards import INSTANCE_ADMIN, PUBLIC, SIGNED_IN

OWNER, ADMIN, MEMBER, VIEWER = "OWNER", "ADMIN", "MEMBER", "VIEWER"
_UP_TO: Final = {
    OWNER: frozenset({OWNER}),
    ADMIN: frozenset({OWNER, ADMIN}),
    MEMBER: frozenset({OWNER, ADMIN, MEMBER}),
    VIEWER: frozenset({OWNER, ADMIN, MEMBER, VIEWER}),
}


def _table(least: dict[str, list[str]]) -> dict[str, frozenset[str]]:
    """Roles by scope, from scopes by the least role that has them."""
    return {scope: _UP_TO[role] for role, scopes in least.items() for scope in scopes}


ORGANIZATION_SCOPES: Final = _table(
    {
        OWNER: ["organization:delete", "billing:CUD"],
        ADMIN: [
            "projects:create",
            "projects:transfer_org",
            "organization:CRUD_apiKeys",
            "organization:update",
            "organizationMembers:CUD",
            "auditLogs:read",
            "billing:read",
            "usage:read",
        ],
        MEMBER: ["organizationMembers:read"],
        VIEWER: ["organization:read"],
    }
)

PROJECT_SCOPES: Final = _table(
    {
        OWNER: ["project:delete"],
        ADMIN: [
            "projectMembers:CUD",
            "apiKeys:CUD",
            "traces:delete",
            "traces:remap",
            "annotationQueueAssignments:CUD",
            "project:update",
            "integrations:CRUD",
            "promptProtectedLabels:CUD",
            "models:CUD",
            "llmApiKeys:create",
            "llmApiKeys:update",
            "llmApiKeys:delete",
            "auditLogs:read",
            "automations:CUD",
        ],
        MEMBER: [
            "projectMembers:read",
            "apiKeys:read",
            "objects:publish",
            "objects:bookmark",
            "objects:tag",
            "scores:CUD",
            "scoreConfigs:CUD",
            "annotationQueues:CUD",
            "annotationQueueAssignments:read",
            "datasets:CUD",
            "prompts:CUD",
            "dashboards:CUD",
            "batchExports:create",
            "batchExports:read",
            "evalTemplate:CUD",
            "evalJob:CUD",
            "evalDefaultModel:CUD",
            "llmSchemas:CUD",
            "llmTools:CUD",
            "playground:execute",
            "comments:CUD",
            "promptExperiments:CUD",
            "TableViewPresets:CUD",
            "alerts:CUD",
        ],
        VIEWER: [
            "project:read",
            # Input and output of traces, apart from project:read so that a role may lose just these.
            "traces:readContent",
            "scoreConfigs:read",
            "annotationQueues:read",
            "datasets:read",
            "prompts:read",
            "dashboards:read",
            "models:read",
            "evalTemplate:read",
            "evalJob:read",
            "evalJobExecution:read",
            "evalDefaultModel:read",
            "llmApiKeys:read",
            "llmSchemas:read",
            "llmTools:read",
            "comments:read",
            "promptExperiments:read",
            "TableViewPresets:read",
            "automations:read",
            "alerts:read",
        ],
    }
)

# Operations of the public API and the kinds of key that may call them (key scopes: models.KeyScope).
# `identify` (who am I: GET /projects) is open to every project key, so that a client's check of its
# credentials passes whatever the key may do. `scores` is what a browser may write with a public key alone.
KEY_OPERATIONS: Final[dict[str, frozenset[str]]] = {
    "identify": frozenset({"full", "ingest", "read"}),
    "ingest": frozenset({"full", "ingest"}),
    "scores": frozenset({"full", "ingest", "public"}),
    "read": frozenset({"full", "read"}),
    "write": frozenset({"full"}),
    "organization:read": frozenset({"full", "read"}),
    "organization:write": frozenset({"full"}),
}

# Those that bring telemetry in: what a suspended project may not do, while reading and the rest go on.
TELEMETRY_WRITES: Final = frozenset({"ingest", "scores"})

# Everything a route, socket or API operation may declare.
DECLARABLE: Final = frozenset(
    {*ORGANIZATION_SCOPES, *PROJECT_SCOPES, *KEY_OPERATIONS, PUBLIC, SIGNED_IN, INSTANCE_ADMIN}
)


def allows(role: str, scope: str) -> bool:
    """Whether a role in a project includes `scope`; an unknown scope is a programming error (KeyError)."""
    return role in PROJECT_SCOPES[scope]


def organization_allows(role: str, scope: str) -> bool:
    """Whether a role in an organization includes `scope`; an unknown scope is a programming error."""
    return role in ORGANIZATION_SCOPES[scope]


def key_allows(key_scope: str, operation: str) -> bool:
    """Whether a key of this scope (`full`, `ingest`, `read`, or `public` for the public half alone)
    may call `operation`; an unknown operation is a programming error."""
    return key_scope in KEY_OPERATIONS[operation]
