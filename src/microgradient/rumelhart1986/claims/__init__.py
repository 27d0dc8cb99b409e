"""What a modern survey page says of the networks of 1986, and studies that judge it."""
