"""Spans of the plumbing around model work: HTTP, RPC, databases, queues, name look-ups.

They belong to the trace, but say nothing about what a model did: pages fold them away. A span counts as such
by OpenTelemetry's semantic conventions (old and new names) or by the instrumentation that made it, and never
when anything on it tells of model work.
"""

from __future__ import annotations

from functools import lru_cache

from apps.ingestion.mapping.values import under
from apps.ingestion.otlp import Attributes, Span

# What a convention cannot do without, old names beside new ones: one of them is on every span of its kind.
_MARKS = (
    "http.request.method", "http.method", "http.response.status_code", "http.status_code", "http.route",
    "http.url", "http.target", "url.full", "url.path",
    "db.system.name", "db.system", "db.statement", "db.query.text", "db.operation", "db.operation.name",
    "rpc.system.name", "rpc.system", "rpc.service", "rpc.method",
    "messaging.system", "messaging.destination.name", "messaging.destination", "messaging.operation",
    "dns.question.name", "faas.trigger",
)  # fmt: skip
_MODEL_WORK = (
    "gen_ai.", "llm.", "openinference.", "langfuse.observation.", "traceloop.", "ai.", "mcp.", "mlflow.",
    "genkit:", "lk.", "gcp.vertex.agent.", "flue.", "openclaw.", "input.", "output.", "retrieval.",
    "embedding.", "tool.", "langsmith.", "db.vector.",
)  # fmt: skip
_MODEL_KEYS = ("langfuse.trace.input", "langfuse.trace.output", "model", "tool_arguments", "agent_name")
# Looking things up by meaning is a step of the program, not plumbing.
_VECTOR_STORES = ("chroma", "chromadb", "lancedb", "marqo", "milvus", "pinecone", "qdrant", "weaviate")

_PYTHON = "opentelemetry.instrumentation."
_PYTHON_LIBRARIES = """
aio_pika aiohttp_client aiohttp_server aiokafka aiopg asgi asyncclick asyncpg boto boto3 boto3sqs botocore
cassandra celery confluent_kafka dbapi django elasticsearch falcon fastapi flask grpc httpx jinja2 kafka mysql
mysqlclient pika psycopg psycopg2 pymemcache pymongo pymssql pymysql pyramid redis remoulade requests
sqlalchemy sqlite3 starlette tornado tortoiseorm urllib urllib3 wsgi
"""
_JAVASCRIPT = "@opentelemetry/instrumentation-"
_JAVASCRIPT_LIBRARIES = """
amqplib aws-lambda aws-sdk cassandra-driver connect dataloader dns document-load express fastify fetch fs
generic-pool graphql grpc hapi http ioredis kafkajs knex koa lru-memoizer memcached mongodb mongoose mysql
mysql2 nestjs-core net oracledb pg redis redis-4 restify router socket.io tedious undici user-interaction
xml-http-request
"""
_JAVA = "io.opentelemetry."
_JAVA_LIBRARIES = """
akka apache aws-sdk cassandra couchbase elasticsearch grpc hibernate hikaricp http java-http jaxrs jdbc jedis
jetty jms kafka ktor lettuce mongo netty okhttp pekko quartz r2dbc rabbitmq reactor redisson rxjava servlet
spring tomcat undertow vertx
"""
# A scope of exactly this name.
_EXACT = frozenset(
    [_PYTHON + name for name in _PYTHON_LIBRARIES.split()]
    + [_JAVASCRIPT + name for name in _JAVASCRIPT_LIBRARIES.split()]
)
# A scope of this name, or one below it.
_SCOPES = (
    "fastapi", "next.js", "@vercel/otel/fetch", "@fastify/otel", "@prisma/instrumentation", "System.Net.Http",
    "Microsoft.AspNetCore", "Microsoft.EntityFrameworkCore", "Npgsql", "MongoDB.Driver.Core.Extensions",
    "OpenTelemetry.Instrumentation", "OpenTelemetry::Instrumentation", "go.opentelemetry.io/contrib",
    "io.opentelemetry.contrib.php",
)  # fmt: skip
_BELOW = tuple(name + mark for name in _SCOPES for mark in (".", "/", "::")) + tuple(
    f"{_JAVA}{library}-" for library in _JAVA_LIBRARIES.split()
)


def is_infrastructure(span: Span) -> bool:
    """Whether the span is plumbing. Ask only of spans that came out without type, content and model."""
    if span.scope.name.startswith("langfuse-sdk"):  # what a person made
        return False
    attributes = span.attributes
    if not (_is_plumbing(span.scope.name[:200]) or any(mark in attributes for mark in _MARKS)):
        return False
    return not _tells_of_models(attributes)


def _tells_of_models(attributes: Attributes) -> bool:
    if any(attributes.get(key) for key in _MODEL_KEYS):
        return True
    if attributes.get("db.system.name", attributes.get("db.system")) in _VECTOR_STORES:
        return True
    return bool(under(attributes, _MODEL_WORK))


@lru_cache(maxsize=1024)
def _is_plumbing(scope: str) -> bool:
    """Whether an instrumentation makes nothing but such spans, by its name."""
    return scope in _EXACT or scope in _SCOPES or scope.startswith(_BELOW)
