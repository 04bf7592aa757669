"""What goes on after the answer: sending events, jobs, erasures, retention."""
