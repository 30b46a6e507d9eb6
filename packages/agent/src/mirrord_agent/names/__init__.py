"""How the target would find names: its files, its servers, its order of addresses."""
