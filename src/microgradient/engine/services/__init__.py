"""Services of the engine besides derivatives: watching, anomalies, pickling, trees of numbers."""
