"""What people see: `views` holds one script a menu entry, `ui` what they share."""
