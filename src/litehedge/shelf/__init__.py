"""What lies ready by name: models, policies, and engines as journals wrote them down."""
