"""What hidden units learned: computed, tested against chance, and drawn."""
