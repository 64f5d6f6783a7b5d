"""What was used and what it cost: the meter, the rollups of cost, quotas, budgets, and their pages."""
