"""Speed and memory, measured side by side with peers; ``make bench`` runs everything."""
