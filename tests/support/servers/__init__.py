"""Real servers for the tests: a URL in the environment, else Docker, else packages."""
