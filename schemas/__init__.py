"""The data contract: one pandera model a table, the column types, the validation gate. No computation belongs here."""
