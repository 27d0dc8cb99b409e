"""What the engine offers besides derivatives: watching, anomalies, pickling, trees of numbers."""
