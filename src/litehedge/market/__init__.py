"""What the market tells us: events, and the atoms and frames they fold into."""
