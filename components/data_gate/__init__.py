"""DataGate: stop a run whose data cannot be trusted. PreviousData: find the last data that was accepted."""
