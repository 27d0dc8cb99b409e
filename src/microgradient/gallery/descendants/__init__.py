"""What came of back-propagation, trained by this engine."""
