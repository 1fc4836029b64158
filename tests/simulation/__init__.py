"""The simulation: it runs clean, tells the same story twice, and catches what it is for."""
