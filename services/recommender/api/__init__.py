"""The HTTP door: requests become questions and commands of the use cases, documents become answers."""
