"""Hard limits and the trading state: what outranks the model."""
