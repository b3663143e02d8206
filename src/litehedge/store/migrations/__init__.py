"""How journals and registries of earlier versions become those of this one: run by alembic."""
