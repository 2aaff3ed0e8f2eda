"""What notify does: hear, plan, send, and take answers. Knows no transport."""
