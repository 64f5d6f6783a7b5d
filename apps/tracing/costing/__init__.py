"""What costs are made of, and their correction: explanations, re-pricing, estimates of missing usage."""
