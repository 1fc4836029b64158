"""Programs that prove the two promises: simulation, model check and crash matrix."""
