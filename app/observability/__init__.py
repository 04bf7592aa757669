"""What operators are shown: metrics, traces, alerts, the live log, the doctor's report."""
