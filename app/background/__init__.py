"""What goes on after the answer: events out, jobs, erasure, retention."""
