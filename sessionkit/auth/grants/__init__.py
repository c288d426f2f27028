"""How tokens are obtained, written as steps that send nothing themselves."""
