"""Views of a network in training: live as it learns, or a diagnosis of its gradients."""
