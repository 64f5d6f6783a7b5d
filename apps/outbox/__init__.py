"""Mail and webhooks as rows, delivered by Celery and retried; knows how to send, never why."""
