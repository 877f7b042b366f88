"""What is made of a comparison once it is measured: one file per form."""
