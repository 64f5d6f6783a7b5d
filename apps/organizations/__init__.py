"""Tenancy: organizations, projects, members, roles and scopes, API keys and how requests prove them."""
