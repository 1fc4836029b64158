"""Two gateways that outlive every process of ours, so that what they did stays true."""
