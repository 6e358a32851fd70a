"""What answers v(S) in place of completions, and what answers without asking v at all."""
